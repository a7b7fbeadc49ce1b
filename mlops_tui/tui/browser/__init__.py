"""The application in a browser; needs the extra `web`."""
