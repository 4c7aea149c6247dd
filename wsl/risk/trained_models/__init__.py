"""Audits of models that are trained already: responses, posteriors and their calibration."""
