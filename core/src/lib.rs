//! The domain of Portcullis: accounts, their values and use cases, without any technology.
//!
//! `model` holds values and entities, `ports` the domain's interfaces to the outside, `use_cases` the use cases,
//! `policy` the operator's numbers, `service` ties them together. Nothing here knows a clock, an environment, a
//! runtime, a wire format or a driver.

pub mod model;
pub mod policy;
pub mod ports;
pub mod service;
pub mod use_cases;
