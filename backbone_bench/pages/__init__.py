"""The self-contained HTML page of records, and the folder of bench report."""
