"""The command line. Commands speak REST; ``demo`` and ``partner`` start what they need."""
