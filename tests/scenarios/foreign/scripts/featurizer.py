# ruff: noqa - in the style of its authors, and run as it is
import io
import json
import os

import joblib
import pandas as pd


def model_fn(model_dir):
    return joblib.load("/opt/ml/model/featurizer.joblib")


def input_fn(request_body, content_type):
    if content_type == "text/csv":
        names = ["weight", "horsepower", "origin"]
        return pd.read_csv(io.StringIO(request_body), header=None, names=names)
    raise ValueError(f"{content_type} not supported by script!")


def predict_fn(input_data, model):
    return model.transform(input_data)


def output_fn(prediction, accept):
    if accept == "application/json":
        return json.dumps(prediction.tolist()), accept
    return pd.DataFrame(prediction).to_csv(header=False, index=False), "text/csv"
