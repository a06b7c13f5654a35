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
RUN python -m venv /opt/stream-app \
    && /opt/stream-app/bin/pip install --quiet --no-index --find-links /wheels '.[embedded]'

FROM python:3.11-slim
ENV PATH=/opt/stream-app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/stream-app \
    NUMBA_CPU_NAME=generic \
    STREAM_DATA_DIR=/data \
    STREAM_HTTP__HOST=0.0.0.0
RUN useradd --uid 10001 --no-create-home --home-dir /data stream-app && mkdir /data /var/cache/stream-app \
    && chown stream-app /data /var/cache/stream-app
COPY --from=build /opt/stream-app /opt/stream-app
COPY example/sample_day.csv /example/
USER 10001
# Compiled once, for any machine of the architecture: a container would take half a minute for it at each start.
RUN python -m stream_app.warm_up
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["stream-app"]
# Other workers reach this one at its container's own address.
CMD ["worker", "--advertise", "auto"]
