# Both images by tag: that of Rust has the toolchain that deploy/release names. A release pins them by digest:
#   docker build --build-arg RUST_IMAGE=rust@sha256:… --build-arg BASE_IMAGE=debian@sha256:… .
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build

# As deploy/release has it: the same bytes whenever it is built, no path of this stage, and the list of its crates within the
# program, where scanners of images find it.
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/build=/conspectus --remap-path-prefix=/usr/local/cargo=/cargo"
RUN cargo install --quiet --locked cargo-auditable@0.7.7

# The dependencies, in a layer of their own: it stays until the manifest or a proto changes.
COPY Cargo.toml Cargo.lock build.rs ./
COPY proto proto
# Benches and tests aren't copied, and cargo refuses a declared target without its file. The
# program is a stand-in, with the docs that the package's lints demand.
RUN sed -i -E '/^\[\[(bench|test|example)\]\]/,/^$/d' Cargo.toml \
    && mkdir src \
    && echo '//! A stand-in.' > src/lib.rs \
    && printf '//! A stand-in.\nfn main() {}\n' > src/main.rs \
    && cargo auditable build --release --locked --bin conspectus

COPY data data
COPY templates templates
COPY src src
# Copied files keep their times, which are older than the stand-in's: without the touch cargo would
# take the stand-in for up to date.
RUN touch src/lib.rs src/main.rs \
    && cargo auditable build --release --locked --bin conspectus


FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="conspectus" \
      org.opencontainers.image.description="Takes indicator figures from partner agencies over gRPC and answers for the multi-agency picture" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

# A fixed uid, so that the volume can be given to it. A new volume takes its owner from here.
RUN groupadd --gid 10001 conspectus \
    && useradd --uid 10001 --gid conspectus --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin conspectus \
    && install --directory --owner=conspectus --group=conspectus --mode=0700 /data

# The authorities that browsers trust, by which the server knows an organisation's provider.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/conspectus /usr/local/bin/conspectus

USER 10001:10001
ENV CONSPECTUS_DATA=/data \
    CONSPECTUS_LISTEN=0.0.0.0:50051
VOLUME /data
EXPOSE 50051
# Nothing but /data is written, and /tmp where a backup is verified: run it with --read-only and --tmpfs /tmp.
# Long journals take a while to replay; until then the server says that it isn't serving.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["conspectus", "health"]
ENTRYPOINT ["conspectus"]
CMD ["serve"]
