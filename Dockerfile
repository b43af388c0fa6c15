# Jupyter with the project's kernel, and the local Mastodon. The set-up is that of the README's command, `./spar setup`.
FROM rust:1.95.0-bookworm AS rust

FROM quay.io/jupyter/minimal-notebook:2026-10-05
USER 0
# The README's prerequisites; Python is the image's own. A version of Debian's would be gone with its next fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc g++ libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
ENV RUSTUP_HOME=/usr/local/rustup \
    CARGO_HOME=/home/jovyan/.cargo \
    PATH=/usr/local/cargo/bin:$PATH
COPY --chown=1000:100 . /home/jovyan/spar
USER 1000:100
WORKDIR /home/jovyan/spar
# Volumes take the owner of the folders that they cover.
RUN ./spar setup && mkdir --parents notebooks data out .spar/state .spar/mastodon
EXPOSE 8888
# On every address of the container, which compose publishes on the host's loopback only.
CMD ["./spar", "lab", "--", "--ServerApp.ip=0.0.0.0", "--ServerApp.open_browser=False"]
