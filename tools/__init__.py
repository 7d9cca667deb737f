"""Scripts that generate or measure files of this repository; the package does not contain them."""
