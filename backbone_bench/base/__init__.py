"""The ground floor: errors, signals, this program's version, and small tools that every room may use."""
