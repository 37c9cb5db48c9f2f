"""The search for settings that fit the films, for `--encoder auto`."""
