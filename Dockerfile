# The image of the service: docker build --tag subscription-cancellation . (make image adds version and commit)
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN python -m venv --without-pip /venv
COPY requirements.txt .
RUN pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary=:all: --requirement requirements.txt
COPY service service
RUN /venv/bin/python -m compileall -q service

FROM python:3.11-slim-bookworm
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="subscription-cancellation" \
      org.opencontainers.image.description="Decides what a cancelled subscription ends, shortens, stops, owes and gives back" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app/service service
COPY schemas schemas
# A number, so that a cluster can tell that it is not root. Nothing is written but to /tmp: the root may be read-only.
USER 10001:10001
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HTTP_BIND=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["run"]
