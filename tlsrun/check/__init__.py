"""`tlsrun check`: examines files, configuration, server, live socket and application; it starts and changes nothing."""
