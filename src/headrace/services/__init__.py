"""What people do, one module a use: functions that read like it. Doors call these; these call everything below."""
