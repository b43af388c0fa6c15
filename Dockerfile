# Jupyter with the project's kernel. The set-up is the one of the README's command.
FROM rust:1.95.0-bookworm AS rust

FROM quay.io/jupyter/minimal-notebook:2026-10-26
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
ENV RUSTUP_HOME=/usr/local/rustup \
    CARGO_HOME=/home/jovyan/.cargo \
    PATH=/usr/local/cargo/bin:$PATH
COPY --chown=1000:100 . /home/jovyan/spar
USER 1000
WORKDIR /home/jovyan/spar
# The folder is there for the volume, which takes its owner over.
RUN ./spar setup && mkdir --parents .spar/state
CMD ["./spar", "lab", "--", "--ServerApp.ip=0.0.0.0", "--ServerApp.open_browser=False"]
