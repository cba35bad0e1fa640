//! A call's timeline and a model's figures, drawn as SVG and PNG.
#![forbid(unsafe_code)]
