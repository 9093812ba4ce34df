# docker build --target cpu -t nst_jax .         docker run --rm -v "$PWD:/data" nst_jax paint photo.jpg painting.jpg
# docker build --target cuda -t nst_jax:cuda .   docker run --rm --gpus all -v "$PWD:/data" nst_jax:cuda paint ...
# Neither image has been built yet: the machines that this project was written on have no Docker.
FROM python:3.12-slim AS source
COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY configs /src/configs
COPY nst_jax /src/nst_jax

FROM source AS cuda
RUN pip install --no-cache-dir '/src[cuda13,film]'
WORKDIR /data
ENTRYPOINT ["nst-jax"]

FROM source AS cpu
RUN pip install --no-cache-dir '/src[film]'
WORKDIR /data
ENTRYPOINT ["nst-jax"]
