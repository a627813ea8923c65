# The page alone, for people without Python: see docs/serve.md.
FROM python:3.11-slim AS wheel
COPY . /src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /src

FROM python:3.11-slim
# PyTorch's build for processors: the default one brings gigabytes for GPUs.
RUN pip install --no-cache-dir 'torch>=2.6,<2.14' --index-url https://download.pytorch.org/whl/cpu
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/*.whl)[page]" && useradd --create-home facskit
USER facskit
EXPOSE 8321
# Inside the container every address is the container's own; who may reach it is decided by `docker run -p`.
CMD ["facskit", "serve", "--host", "0.0.0.0"]
