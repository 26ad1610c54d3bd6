# The worker, the learner, the API and every other bandshift command; compose names the one to run.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/bandshift
WORKDIR /build
# Requirements first: they change less often than the code, and their layer is kept.
COPY requirements/server.txt requirements/
RUN /opt/bandshift/bin/pip install --only-binary :all: --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY stream stream
RUN /opt/bandshift/bin/pip install --no-deps --no-index --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/bandshift \
        --shell /usr/sbin/nologin bandshift && \
    install --directory --owner bandshift --group bandshift --mode 0700 /var/lib/bandshift
COPY --from=build /opt/bandshift /opt/bandshift
ENV PATH=/opt/bandshift/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/bandshift
USER 10001
ENTRYPOINT ["bandshift"]
CMD ["--help"]
