# ruff: noqa - in the style of its authors, and run as it is
import argparse
import glob
import os
import tarfile

import joblib
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

columns = ["weight", "horsepower", "origin", "consumption"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--test-size", type=float, default=0.3)
    args, _ = parser.parse_known_args()

    files = glob.glob("/opt/ml/processing/input/raw/*.csv")
    df = pd.concat([pd.read_csv(f, header=None, names=columns) for f in files])
    train, test = train_test_split(df, test_size=args.test_size, random_state=0)

    featurizer = make_column_transformer(
        (StandardScaler(), ["weight", "horsepower"]),
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["origin"]),
    )
    features = featurizer.fit_transform(train[columns[:3]])
    out = pd.DataFrame(features)
    out.insert(0, "label", train["consumption"].values)
    os.makedirs("/opt/ml/processing/train", exist_ok=True)
    out.to_csv("/opt/ml/processing/train/train.csv", header=False, index=False)

    joblib.dump(featurizer, "featurizer.joblib")
    os.makedirs("/opt/ml/processing/featurizer", exist_ok=True)
    with tarfile.open("/opt/ml/processing/featurizer/model.tar.gz", "w:gz") as tar:
        tar.add("featurizer.joblib")
    print(f"{len(train)} rows to train on, {len(test)} held back")
