# syntax=docker/dockerfile:1
# Asterisk 22 with the configuration in deploy/asterisk, for docker-compose.yml. Debian carries Asterisk in sid only.

FROM debian:sid-slim
RUN apt-get update && apt-get install -y --no-install-recommends asterisk asterisk-core-sounds-en-wav && rm -rf /var/lib/apt/lists/*
COPY deploy/asterisk/*.conf /etc/asterisk/
COPY deploy/asterisk/sounds /etc/asterisk/sounds/
ARG SIDETONE=172.28.0.10
ARG ASTERISK=172.28.0.20
RUN sed -i "s/192\.0\.2\.10/$SIDETONE/g; s/192\.0\.2\.20/$ASTERISK/g" /etc/asterisk/*.conf
CMD ["asterisk", "-f", "-U", "asterisk"]
