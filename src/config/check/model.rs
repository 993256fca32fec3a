//! What is known of a provider's models.

use super::some_over_zero;
use crate::base::id::ModelName;
use crate::config::errors::{Errors, Spot};
use crate::config::read::{At, Entries, Entry, Field};
use crate::config::{Above, CacheMarks, ModelSpec, Price, StripBilling, ToolAbility, raw};

pub(super) fn models(written: &Entries<raw::Model>, errors: &mut Errors) -> Vec<ModelSpec> {
    let read = written.0.iter();
    read.filter_map(|entry| model(entry, errors)).collect()
}

fn model(entry: &Entry<raw::Model>, errors: &mut Errors) -> Option<ModelSpec> {
    let name = ModelName::parse(&entry.name);
    if name.is_none() {
        errors.refuse(&entry.spot, "a model's name must not be empty");
    }
    let written = entry.value.as_ref()?;
    let input = match &written.input {
        Field::Given(at) => {
            if at.value.is_empty() && !errors.has_about(&at.spot.path) {
                errors.refuse(&at.spot, "must name what the model takes: leave it out if unknown");
            }
            Some(at.value.iter().map(|at| at.value).collect())
        }
        Field::Missing | Field::Broken => None,
    };
    let set = &written.set.0;
    let drop = &written.drop;
    paths(set, drop, errors);
    Some(ModelSpec {
        name: name?,
        context: some_over_zero(&written.context, errors),
        max_output: some_over_zero(&written.max_output, errors),
        input,
        tools: tools(&written.tools),
        reasoning: written.reasoning.value(),
        price: price(&written.price, errors),
        set: set.iter().filter_map(|it| Some((it.name.clone(), it.value.as_ref()?.0.clone()))).collect(),
        drop: drop.iter().map(|at| at.value.clone()).collect(),
        stream: written.stream.value(),
        limit_field: written.limit_field.value(),
        reasoning_field: written.reasoning_field.value(),
        chars_per_token: some_over_zero(&written.chars_per_token, errors),
        cache: written.cache.or(CacheMarks::Auto),
        strip_billing: written.strip_billing.or(StripBilling::Auto),
    })
}

/// `set` and `drop` name fields by dotted paths; no field is in both.
fn paths<T>(set: &[Entry<T>], drop: &[At<String>], errors: &mut Errors) {
    let mut check = |path: &str, spot: &Spot| {
        if path.split('.').any(str::is_empty) {
            errors.refuse(spot, "must be a field such as store, or a path such as reasoning.summary");
        }
    };
    for entry in set {
        check(&entry.name, &entry.spot);
    }
    for at in drop {
        check(&at.value, &at.spot);
    }
    for at in drop {
        if set.iter().any(|entry| entry.name == at.value) {
            errors.refuse(&at.spot, "this field is also in `set`: keep it in one of them");
        }
    }
}

fn tools(field: &Field<raw::Tools>) -> ToolAbility {
    match field.given().map(|at| &at.value) {
        None => ToolAbility::Unknown,
        Some(raw::Tools::Switch(false)) => ToolAbility::None,
        Some(raw::Tools::Switch(true)) => {
            ToolAbility::Some { parallel: None, search: None, apply_patch: None }
        }
        Some(raw::Tools::Keys(keys)) => ToolAbility::Some {
            parallel: keys.parallel.value(),
            search: keys.search.value(),
            apply_patch: keys.apply_patch.value(),
        },
    }
}

fn price(field: &Field<raw::Price>, errors: &mut Errors) -> Option<Price> {
    let Field::Given(At { value: written, spot }) = field else {
        return None;
    };
    let (input, output) = (money(&written.input, errors), money(&written.output, errors));
    let cache_read = money(&written.cache_read, errors).value();
    let cache_write = money(&written.cache_write, errors).value();
    let above = above(&written.above, errors);
    let input = input.required(spot, "input", errors);
    let output = output.required(spot, "output", errors);
    Some(Price { input: input?.value, output: output?.value, cache_read, cache_write, above })
}

fn above(field: &Field<raw::PriceAbove>, errors: &mut Errors) -> Option<Above> {
    let Field::Given(At { value: written, spot }) = field else {
        return None;
    };
    let input = money(&written.input, errors).value();
    let output = money(&written.output, errors).value();
    let cache_read = money(&written.cache_read, errors).value();
    let cache_write = money(&written.cache_write, errors).value();
    let tokens = match &written.tokens {
        Field::Missing => written.tokens.required(spot, "tokens", errors).map(|at| at.value),
        given => some_over_zero(given, errors),
    };
    Some(Above { tokens: tokens?, input, output, cache_read, cache_write })
}

fn money<'f>(field: &'f Field<f64>, errors: &mut Errors) -> &'f Field<f64> {
    if let Some(at) = field.given().filter(|at| at.value < 0.0) {
        errors.refuse(&at.spot, "a price must not be negative");
    }
    field
}
