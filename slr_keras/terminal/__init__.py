"""What the commands share: flags, what they print, what they work on."""
