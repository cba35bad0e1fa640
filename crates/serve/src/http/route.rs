//! A path that is served.

use axum::routing::MethodRouter;

/// A path and its methods.
pub(super) type Route<S> = (&'static str, MethodRouter<S>);
