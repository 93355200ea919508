"""Room 8: observations. Figures of recorded walks; floats for the eye only, the exact data beside them."""
