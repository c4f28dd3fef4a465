"""The doctor: looks at files, configuration, server, live socket and application, and starts and changes nothing."""
