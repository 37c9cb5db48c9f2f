# vidrnn for prediction alone, without PyTorch. docs/install.md shows how to build and run it.
FROM python:3.13-slim

WORKDIR /vidrnn
COPY pyproject.toml README.md LICENSE MANIFEST.in requirements-predict.txt ./
COPY vidrnn vidrnn
COPY models models
RUN pip install --no-cache-dir --no-compile -r requirements-predict.txt \
    && pip install --no-cache-dir --no-compile --no-deps . \
    && rm -rf /vidrnn

# Videos and results are mounted here. Nobody needs to be root to read videos.
RUN useradd --create-home vidrnn
USER vidrnn
WORKDIR /work

ENTRYPOINT ["vidrnn"]
CMD ["--help"]
