"""Where many films are worked on, by the name that `--engine` takes."""

ENGINES = {
    "local": "vidrnn.engines.local:Local",
    "ray": "vidrnn.engines.ray:Ray",
}
