/* Loads a SavedModel and sends its `tensor` signature's input `image` zeros, as a server does: ./session FOLDER INPUT OUTPUT SIZE CHANNELS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>

static void check(TF_Status *status, const char *what) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  const char *tags[] = {"serve"};
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_Session *session = TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "load");
  int64_t shape[] = {1, atoi(argv[4]), atoi(argv[4]), atoi(argv[5])};
  size_t size = shape[1] * shape[2] * shape[3];
  TF_Tensor *pixels = TF_AllocateTensor(TF_UINT8, shape, 4, size), *answer = NULL;
  memset(TF_TensorData(pixels), 0, size);
  TF_Output input = {TF_GraphOperationByName(graph, argv[2]), 0};
  TF_Output output = {TF_GraphOperationByName(graph, strtok(argv[3], ":")), atoi(strtok(NULL, ":"))};
  TF_SessionRun(session, NULL, &input, &pixels, 1, &output, &answer, 1, NULL, 0, NULL, status);
  check(status, "run");
  for (int i = 0; i < TF_Dim(answer, 1); i++) printf("%.9g\n", ((float *)TF_TensorData(answer))[i]);
  return 0;
}
