"""The HTML report: one self-contained page, and the folder that `bench report` writes."""
