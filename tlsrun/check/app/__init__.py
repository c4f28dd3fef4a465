"""The application, looked at in processes of its own: imported as a library and as a script, and asked what it sees."""
