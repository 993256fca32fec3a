//! What commands ask of a running llmgate.

use std::time::Duration;

use ureq::http::Request;

use crate::upstream::Failure;
use crate::upstream::failure::of_ureq;

/// A question takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a local endpoint to do something; returns the status and the body.
///
/// # Errors
/// It was not reached, or did not answer within 10 s.
pub fn post(url: &str, key: Option<&str>) -> Result<(u16, String), Failure> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build();
    let mut request = Request::post(url).header("x-llmgate-admin", "1");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let request = request.body(()).map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let mut response = ureq::Agent::new_with_config(config).run(request).map_err(|error| of_ureq(&error))?;
    let body = response.body_mut().read_to_string().map_err(|error| of_ureq(&error))?;
    Ok((response.status().as_u16(), body))
}
