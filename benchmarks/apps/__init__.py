"""The applications that are served: the same pages from Flask and from Bottle."""
