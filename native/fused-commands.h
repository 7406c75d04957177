// Commands of native/fused.inl.
#pragma once
#include "job.h"

inline void run_cross_entropy_in_place(Job& job) {
  CrossEntropyInPlaceCall c;
  take_all(job, c.logits, c.labels, c.results, c.sums, c.rows, c.cols, c.ignore_index, c.scale);
  job.table->cross_entropy_in_place(job.run, &c);
}

inline void take_row_dropout(Job& job, RowDropout* dropout) {
  take_all(job, dropout->rate);
  take_key(job, &dropout->key);
  const bool has_rows = take<int>(job) != 0;
  take_all(job, dropout->rows);
  if (!has_rows) dropout->rows = nullptr;
}

inline ResidualNormCall take_residual_norm(Job& job) {
  ResidualNormCall c;
  take_all(job, c.x, c.residual, c.gamma, c.beta, c.rows, c.cols, c.eps);
  take_row_dropout(job, &c.dropout);
  return c;
}

inline void run_residual_norm(Job& job) {
  const ResidualNormCall call = take_residual_norm(job);
  float *y, *mean, *rstd;
  take_all(job, y, mean, rstd);
  job.table->residual_norm(job.run, &call, y, mean, rstd);
}

inline void run_residual_norm_grad(Job& job) {
  const ResidualNormCall call = take_residual_norm(job);
  const float *mean, *rstd, *d_y;
  float *d_x, *d_residual, *d_gamma, *d_beta;
  take_all(job, mean, rstd, d_y, d_x, d_residual, d_gamma, d_beta);
  job.table->residual_norm_grad(job.run, &call, mean, rstd, d_y, d_x, d_residual, d_gamma, d_beta);
}

inline EmbeddingNormCall take_embedding_norm(Job& job) {
  EmbeddingNormCall c;
  take_all(job, c.tables[0], c.tables[1], c.tables[2], c.ids[0], c.ids[1], c.ids[2], c.gamma, c.beta, c.rows, c.cols,
           c.eps);
  take_row_dropout(job, &c.dropout);
  return c;
}

inline void run_embedding_norm(Job& job) {
  const EmbeddingNormCall call = take_embedding_norm(job);
  float *y, *mean, *rstd;
  take_all(job, y, mean, rstd);
  job.table->embedding_norm(job.run, &call, y, mean, rstd);
}

inline void run_embedding_norm_grad(Job& job) {
  const EmbeddingNormCall call = take_embedding_norm(job);
  const float *mean, *rstd, *d_y;
  float *d_sum, *d_gamma, *d_beta;
  take_all(job, mean, rstd, d_y, d_sum, d_gamma, d_beta);
  job.table->embedding_norm_grad(job.run, &call, mean, rstd, d_y, d_sum, d_gamma, d_beta);
}
