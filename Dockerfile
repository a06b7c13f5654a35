FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Every package of the lock, hashes checked. The project's own metadata then chooses those that a worker needs, and the
# broker of `docker run stream-app demo`.
COPY requirements.lock ./
RUN pip wheel --quiet --require-hashes --requirement requirements.lock --wheel-dir /wheels
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY stream_app stream_app
# The build fetches the dashboard's plotting library from npm, by its hash.
COPY tools/front_end.py tools/front_end.py
# Without pip. Tests, headers and the clients of Flight and S3 are not used: 75 MB of numba and pyarrow.
RUN python -m venv --without-pip /opt/stream-app \
    && pip --python /opt/stream-app/bin/python install --quiet --no-index --find-links /wheels '.[embedded,tracing]' \
    && cd /opt/stream-app/lib/python3.11/site-packages \
    && rm -r numba/tests pyarrow/tests pyarrow/include pyarrow/*flight* pyarrow/*s3*
COPY tools/bill_of_materials.py ./
RUN mkdir -p /opt/stream-app/share \
    && /opt/stream-app/bin/python bill_of_materials.py >/opt/stream-app/share/bill-of-materials.cdx.json

FROM python:3.11-slim
LABEL org.opencontainers.image.title="stream-app" \
      org.opencontainers.image.description="Streaming processor for battery telemetry: rows in, windowed metrics out, on Kafka" \
      org.opencontainers.image.source="https://github.com/stream-app/stream-app" \
      org.opencontainers.image.documentation="https://github.com/stream-app/stream-app/blob/main/docs/operations.md" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/stream-app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CPU_NAME=generic \
    STREAM_DATA_DIR=/data \
    STREAM_HTTP__HOST=0.0.0.0
# Nothing in the image installs packages.
RUN python -m pip uninstall --quiet --yes --root-user-action ignore pip setuptools wheel \
    && rm -rf /usr/local/lib/python3.11/ensurepip \
    && useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin stream-app \
    && mkdir -m 755 /data /opt/code && chown stream-app /data /opt/code
COPY --from=build /opt/stream-app /opt/stream-app
COPY example/sample_day.csv /example/
COPY deploy/entrypoint /usr/local/bin/
USER 10001
# Compiled once, for any machine of the architecture: a container would take a minute or two for it at each start. In the
# folder where a container has it, since numba knows code by its file's place and time.
RUN NUMBA_CACHE_DIR=/data/code python -m stream_app.warm_up && mv /data/code/* /opt/code && rmdir /data/code
# The root file system may be read-only: only /data is written. It has the compiled code's copy, and files while they are
# uploaded (1 GiB each at most); nothing that is needed after a restart.
ENV NUMBA_CACHE_DIR=/data/code TMPDIR=/data
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-ISc", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('STREAM_HTTP__PORT', 8000)}/health/live\", timeout=2)"]
ENTRYPOINT ["entrypoint"]
# Other workers reach this one at its container's own address.
CMD ["worker", "--advertise", "auto"]
