"""The certificate: lines, writer, reader, replay, checks, exports. The format's page is proofs/FORMAT.md."""
