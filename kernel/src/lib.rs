//! What notebooks load: `spar`, compiled once where the project's kernel runs, built from source elsewhere.

#[cfg(not(spar_prebuilt))]
pub use spar::*;
#[cfg(spar_prebuilt)]
pub use spar_prebuilt::*;
