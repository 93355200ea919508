"""Records: certificates of small runs with their instances; README.md."""
