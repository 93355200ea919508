"""Names the kind of a file from its first bytes, for messages about files that are given to the wrong option."""

_ZIP = b"PK\x03\x04"
_PYTORCH = "a PyTorch file, which `exactdrl import --torch` reads"
_KINDS = (
    (b"PAR1", "a Parquet file, whose name should end in .parquet"),
    (b"\x93NUMPY", "a NumPy array, whose name should end in .npy"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip file, whose name should end in .gz"),
    (b"\x80", "a pickle"),
    (b"%PDF", "a PDF file"),
    (b"\x89PNG", "a picture"),
)
# a zip archive's list of names stands at its end, and each name before its content, too
_ZIPPED = (
    (b"/data.pkl", _PYTORCH),
    (b"xl/workbook", "a spreadsheet (*.xlsx); save it as CSV"),
    (b".npy", "an npz file, whose name should end in .npz"),
)
# the header of a safetensors file is JSON behind its length
_LENGTH_BYTES = 8
# field 1 of an ONNX model is the version of the format, a small number; field 2, 7 or 8 follows
_ONNX_VERSIONS = range(1, 32)
_ONNX_FIELDS = frozenset(b"\x12\x3a\x42")
_ONNX_BYTES = 3
_LOOKED_AT = 400


def find_kind(content: bytes) -> str:
    """Returns in words what kind of file some bytes are, "" where their beginning says nothing.

    What to do with such a file follows after a comma; `kind_name` leaves that part out.
    """
    if content.startswith(_ZIP):
        return next((words for mark, words in _ZIPPED if mark in content), "a zip archive")
    for magic, words in _KINDS:
        if content.startswith(magic):
            return words
    if content[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{" and content[_LENGTH_BYTES - 2 : _LENGTH_BYTES] == b"\x00\x00":
        return "a safetensors file, which `exactdrl import --safetensors` reads"
    if content[:1] == b"\x08" and len(content) >= _ONNX_BYTES and _is_onnx(content[1], content[2]):
        return "an ONNX file, which `exactdrl import --onnx` reads"
    beginning = b"".join(content[:_LOOKED_AT].split())
    if beginning.startswith(b"{"):
        for name, words in ((b"instance", "an instance"), (b"certificate", "the certificate of a run")):
            if b'"format":"exactdrl-' + name + b'"' in beginning:
                return words
    return ""


def _is_onnx(version: int, field: int) -> bool:
    return version in _ONNX_VERSIONS and field in _ONNX_FIELDS


def kind_name(content: bytes) -> str:
    """Returns what kind of file some bytes are, without what to do with it."""
    return find_kind(content).partition(", ")[0]
