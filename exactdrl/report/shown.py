"""A figure that notebooks show by itself, whether or not Matplotlib's own integration is switched on there."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_DPI = 110


class ShownFigure(Figure):
    """A Matplotlib figure without pyplot. Jupyter and others that ask for `_repr_png_` show it as a picture."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        FigureCanvasAgg(self)
        self.savefig(stream, format="png", dpi=_DPI)
        return stream.getvalue()
