# docker build --tag entremise . && docker run --publish 8443:8443 entremise
#
# The release build, linked whole, in an image with nothing beside it but the authorities that are trusted: no shell, no
# libraries, no root. Untried so far: it was written where no engine runs containers.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base ca-certificates clang-dev cmake linux-headers perl
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package entremise && install -d -m 0700 /state

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/entremise /usr/bin/entremise
# What is to outlive a container: certificates that come by themselves, or the one for development.
COPY --from=build --chown=65532:65532 /state /var/lib/entremise
USER 65532:65532
WORKDIR /var/lib/entremise
VOLUME /var/lib/entremise
ENV ENTREMISE_STATE_DIR=/var/lib/entremise
# For the health check and the status page, on the container's own loopback.
ENV ENTREMISE_METRICS_LISTEN=127.0.0.1:9100
EXPOSE 8443 3478 3478/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/bin/entremise", "health"]
ENTRYPOINT ["/usr/bin/entremise"]
