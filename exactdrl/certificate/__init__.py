"""The certificate. Claims, writer, reader, replay, exports; the format's page is proofs/FORMAT.md."""
