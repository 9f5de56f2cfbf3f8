# ruff: noqa - in the style of its authors, and run as it is
import argparse
import json
import os

import joblib
import pandas as pd
from sklearn.linear_model import Ridge


def model_fn(model_dir):
    return joblib.load(os.path.join("/opt/ml/model", "regressor.joblib"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=1.0)
    args, _ = parser.parse_known_args()

    with open("/opt/ml/input/config/hyperparameters.json") as f:
        print("hyperparameters:", json.load(f))

    data = pd.read_csv("/opt/ml/input/data/train/train.csv", header=None)
    model = Ridge(alpha=args.alpha).fit(data.iloc[:, 1:].values, data.iloc[:, 0])
    print("train r2: %.4f;" % model.score(data.iloc[:, 1:].values, data.iloc[:, 0]))
    joblib.dump(model, "/opt/ml/model/regressor.joblib")
