//! A model of the AWS APIs around guardrail enforcement.
