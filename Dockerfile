FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt constraints.txt ./
RUN pip install -r requirements.txt

COPY . .
RUN ENV_FILE=config/placeholder.env python manage.py collectstatic --no-input \
    && useradd --system --no-create-home --shell /usr/sbin/nologin credits

USER credits
ENV ENVIRONMENT=production LISTEN_HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/', timeout=4)"]
# Heartbeats of gunicorn's workers are files, which belong into memory.
CMD ["gunicorn", "-c", "config/gunicorn.py", "--worker-tmp-dir", "/dev/shm"]
