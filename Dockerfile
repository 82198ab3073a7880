# Three images of one tree: `build` installs, `load` runs Locust, `runtime` (the last, so the default) runs everything else.
# Versions are those of constraints.txt. What the demo embeds (PostgreSQL, Valkey) stays out: servers run beside us.

FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir --root-user-action=ignore uv==0.13.8
ENV UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /build
COPY pyproject.toml constraints.txt deploy/image-excludes.txt ./
RUN uv venv --python /usr/local/bin/python3 /opt/banca \
    && uv pip install --python /opt/banca/bin/python -c constraints.txt --overrides image-excludes.txt -r pyproject.toml

FROM build AS build-load
RUN uv pip install --python /opt/banca/bin/python -c constraints.txt --group pyproject.toml:load

FROM python:3.11-slim-bookworm AS installed
RUN groupadd --gid 10001 banca \
    && useradd --uid 10001 --gid banca --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin banca
ENV PATH=/opt/banca/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY core core
COPY sql sql

FROM installed AS load
COPY --from=build-load /opt/banca /opt/banca
COPY loadtests loadtests
RUN python -m compileall -q .
USER 10001:10001
CMD ["locust", "-f", "loadtests/locustfile.py"]

FROM installed AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="banca" \
      org.opencontainers.image.description="Transaction engine for lottery banks: api, relay, worker and migrate in one image" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# What --version says: the image has not the package that would say it.
ENV BANCA_VERSION=$VERSION
COPY --from=build /opt/banca /opt/banca
COPY cli cli
COPY workers workers
COPY api api
# The root file system is read-only: what is not compiled here is compiled at each start.
RUN python -m compileall -q .
USER 10001:10001
EXPOSE 8080
CMD ["python", "-m", "api"]
