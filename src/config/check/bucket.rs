//! Buckets (SPEC 7.4).

use super::{filled, some_over_zero};
use crate::base::id::ModelName;
use crate::base::table::Table;
use crate::config::errors::Errors;
use crate::config::read::{At, Field};
use crate::config::{Bucket, raw};

pub(super) fn buckets(written: &[At<raw::Bucket>], errors: &mut Errors) -> Vec<Bucket> {
    let mut names: Table<&str, ()> = Table::default();
    let read = written.iter().filter_map(|At { value: bucket, spot }| {
        let name = match &bucket.name {
            Field::Missing => bucket.name.required(spot, "name", errors),
            given => filled(given, errors),
        };
        if let Some(at) = name.filter(|at| names.contains_key(at.value.as_str())) {
            errors.refuse(&at.spot, "two buckets have this name: rename one");
        }
        names.extend(name.map(|at| (at.value.as_str(), ())));
        if matches!((&bucket.requests, &bucket.tokens), (Field::Missing, Field::Missing)) {
            errors.refuse(spot, "needs requests, tokens or both");
        }
        let window = bucket.window.required(spot, "window", errors);
        let models = models(&bucket.models, errors);
        let requests = some_over_zero(&bucket.requests, errors);
        let tokens = some_over_zero(&bucket.tokens, errors);
        Some(Bucket { name: name?.value.clone(), models, requests, tokens, window: window?.value })
    });
    read.collect()
}

/// The models that a bucket counts; `None` is all.
fn models(field: &Field<raw::BucketModels>, errors: &mut Errors) -> Option<Vec<ModelName>> {
    let Field::Given(At { value, spot }) = field else {
        return None;
    };
    let list = match value {
        raw::BucketModels::Word(word) if word == "all" => return None,
        raw::BucketModels::Word(_) => {
            errors.refuse(spot, "must be all, or a list of models");
            return None;
        }
        raw::BucketModels::List(list) => list,
    };
    if list.is_empty() && !errors.has_about(&spot.path) {
        errors.refuse(spot, "must name a model, or be all");
    }
    match list.iter().find(|at| at.value == "all") {
        Some(all) if list.len() > 1 => {
            errors.refuse(&all.spot, "all is not mixed with names: use one or the other");
        }
        Some(_) => return None,
        None => {}
    }
    let names = list.iter().filter_map(|at| {
        let name = ModelName::parse(&at.value);
        if name.is_none() {
            errors.refuse(&at.spot, "must not be empty");
        }
        name
    });
    Some(names.collect())
}
