//! How a notebook becomes a page: a template for nbconvert and the settings that choose it. Whoever uses the prepared
//! kernel's environment has them: JupyterLab's own export, nbconvert and the runner give the same page.

/// The style of every page.
pub(crate) const STYLE: &str = include_str!("page/static/page.css");

/// The files below the kernel's folder, where Jupyter looks for them.
pub(super) const FILES: [(&str, &str); 4] = [
    ("config/jupyter_config.py", include_str!("page/jupyter_config.py")),
    ("share/nbconvert/templates/spar/conf.json", include_str!("page/conf.json")),
    ("share/nbconvert/templates/spar/index.html.j2", include_str!("page/index.html.j2")),
    ("share/nbconvert/templates/spar/static/page.css", STYLE),
];
