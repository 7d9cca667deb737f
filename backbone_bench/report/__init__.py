"""Records as tables and plots: `tables`, `drawing`, `views` and `plots`."""
