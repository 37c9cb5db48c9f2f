"""Where many films are worked on, by the name that `--engine` takes."""

ENGINES = {
    "local": "vidrnn.batch.engines.local:Local",
    "ray": "vidrnn.batch.engines.ray:Ray",
}
