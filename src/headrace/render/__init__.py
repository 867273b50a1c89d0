"""From stored people to messages: a destination compiled once, and rendered for each group."""
