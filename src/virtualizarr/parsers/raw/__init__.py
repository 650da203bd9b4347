"""Raw rasters: formats whose header describes plain numbers in a file."""
